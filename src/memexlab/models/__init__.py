"""Language models behind one method, and the only caller of them."""
