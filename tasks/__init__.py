"""The built-in tasks; each folder is a plugin and is found like any other."""
