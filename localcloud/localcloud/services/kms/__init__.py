"""Cloud KMS: key rings, keys for asymmetric signing, their versions, and the signatures that these make."""
