"""When a study is complete, and the clock that asks."""
