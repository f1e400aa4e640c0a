"""The pipelines that the node can run; each module with a `load` is one."""
