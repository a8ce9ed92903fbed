"""Answers to the first requests on stdio, before the SDK is loaded.

Contract: each early answer is byte for byte the answer that the SDK would send, and a request that is not exactly understood is
left to the SDK. `make check` compares the precomputed answers with those of the real server.
"""
