"""What makes an instance ours, by whatever way its bytes came: identify, keep, record."""
