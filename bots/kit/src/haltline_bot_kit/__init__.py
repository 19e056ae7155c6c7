"""Commands and views of Haltline's chat bots, free of any chat library.

Modules: `assistant` the conversation · `compose` replies as views · `view` what is shown, cut into messages ·
`press` buttons as payloads · `menu` commands as menus · `doorman` strangers ·
`chart` pictures, in the colours of `theme` · `chartcommand` them for the asking · `plugin` what is registered.
In: what somebody said, pressed or chose, and replies of the control service. Out: views.
Never: knows a platform's markup, decides who may do what, keeps the only copy of anything.
"""
