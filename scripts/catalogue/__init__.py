"""Build time only: tool_specs/*.yaml become the one JSON file that start-up reads.

python -m scripts.catalogue [--check]
"""
