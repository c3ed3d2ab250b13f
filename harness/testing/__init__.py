"""What plugin authors test their package with: a tiny transformer, and a suite of promises to keep.

    from harness.testing.conformance import MethodConformance

    class TestMyMethod(MethodConformance):
        method = "mymethod"
"""
