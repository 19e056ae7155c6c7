"""A pytest plugin that collects `*.test.yaml` files."""
