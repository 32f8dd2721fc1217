"""Code that runs inside the serving runtime, which lacks this project: this folder is put on its import path.

The modules here therefore import each other by their bare names, and nothing else of this project.
"""
