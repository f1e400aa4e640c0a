"""The spool: files, streamed in, made durable, and named by what they hold."""
