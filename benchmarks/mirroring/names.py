"""Names of the model and the bucket, the only module that servers and measured programs share."""

MODEL = "benchmark/model"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
BUCKET = "benchmark-bucket"
