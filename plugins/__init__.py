"""The built-in methods; each folder is a plugin and is found like any other."""
