"""What the servers and those who are measured call the model and the bucket; nobody who is measured imports more."""

MODEL = "benchmark/model"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
BUCKET = "benchmark-bucket"
