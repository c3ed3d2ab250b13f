"""New plugin packages from templates (``harness new``).

A package is rendered in layers, one template over the other: ``package`` is what all have, ``method`` and ``task``
add their code, and an adapter is a task whose model has the attention class.
"""
