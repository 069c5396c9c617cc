"""Stand-ins for the packages of SageMaker's containers that scripts import: encoders, content types, Response, errors.

This folder goes last on Python's path of a script, so a package of that name that is installed goes before. Each
module has what scripts of public samples use; any other name is an AttributeError that says so.
"""
