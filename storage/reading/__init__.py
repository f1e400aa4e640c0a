"""What is known of a study: for people, and for pipelines. Above all other rooms."""
