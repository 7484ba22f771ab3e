"""Google Colab, Google Drive and BigQuery."""
