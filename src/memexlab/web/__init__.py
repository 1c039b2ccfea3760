"""The web page: server-rendered, all assets local, made from the methods of `Lab`."""
