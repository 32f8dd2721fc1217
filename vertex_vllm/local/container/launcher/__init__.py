"""Code that runs inside the serving runtime, which lacks this project: this folder is put on its import path.

So the modules here import each other by their bare names, and nothing of this project.
"""
