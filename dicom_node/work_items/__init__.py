"""Work items: studies that a work list asks for are analysed, and it hears of the results.

The node is a Task Performer of IHE AI Workflow for Imaging by the pull workflow: it finds items of
its kind, claims them, sees to it that their input is here, and ends them with their outputs.
"""
