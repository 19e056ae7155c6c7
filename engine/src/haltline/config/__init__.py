"""Files → checked records: the set-up (`haltline.yaml`), rule files and rule templates.

Three stages, each reporting all its problems with `file:line:col`, what is wrong, what to do, and a code:
structure (plain words) → JSON Schema → binding to records with cross-field checks. The meaning of expressions
is checked by `rules.compile`, which is handed in as `meaning`.

Modules: `load` the door (`load_setup`, `load_book`, `check_files`) · `source` YAML with places · `scalar` what a
plain word means · `syntax` parser errors in plain words · `reference` `${NAME}`, `${file:…}` · `finding` the list of
problems · `schema` the base schemas and the composed one · `structure` stage 1 · `validate` stage 2 · `rule`,
`limit`, `action`, `escalation` rule entries → RuleSpec · `setup`, `instrument`, `notify`, `backup` haltline.yaml →
Setup, `routing` the records of `notify:` · `template`, `template_input`, `condition`, `override`, `pack`, `try_out`
rule templates · `book` many files → one RuleBook · `evidence` how sure an action must be, and its caps · `drill`
those that come again, `arming` what they must have shown first · `cross` set-up against rules · `diagnose` excerpts
and output formats · `settings` the records.

In: paths, a Registry, the environment as a mapping. Out: Setup, RuleBook, or ConfigError with every problem.
Never: expressions evaluated, brokers or calendars made, secrets printed.
"""
