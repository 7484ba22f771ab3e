"""Google Colab, Drive and BigQuery."""
