"""Records as tables: what may stand together, in which order, with which remarks."""
