"""Exporting titles and other short texts from BigQuery to a CSV file for finetuning.

`config` has the options, `query` builds the SQL, `client` signs in, estimates the cost and runs
it, and `export` writes the file. Only `client` and `errors` need google-cloud-bigquery.
"""
