"""The thinking partner: a person's corpus, computed into sections in which every statement is a located quote."""
