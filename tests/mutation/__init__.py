"""Mutation testing of the CUDA sources: does the battery notice one small change in a kernel?

``code`` finds the lines that may be changed, ``kinds`` changes them, ``checks`` finds the cases
that reach a change, ``worker`` runs them, ``report`` counts.
"""
