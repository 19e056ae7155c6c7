"""Setup and registry become a kernel: the one place where files, plugins and rules meet."""
