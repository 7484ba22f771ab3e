"""Titles and other short texts out of BigQuery: a query, the client that runs it, a CSV.

`query` turns what a user chose into SQL, `client` signs in, prices and runs it, `export` writes the
one-column CSV that finetuning takes. google-cloud-bigquery is needed by `client` alone.
"""
