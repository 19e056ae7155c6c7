"""Setup, rule book and registry become a kernel: the one place where files, plugins and rules meet.

vocabulary  what rules may name: fields, collections, functions of all plugins, definitions
kernel      state and rules of a set-up, joined

In: `config.settings` records and a registry. Out: a `Kernel`. Never: effects.
"""
