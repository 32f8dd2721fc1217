"""Cloud KMS: key rings, keys for asymmetric signing, their versions, and signatures."""
