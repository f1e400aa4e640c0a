"""The recipes that come with echonode, one TOML file each."""
