"""The web app: a model behind routes and a page, written by one thread for many readers at once.

request -> asking      JSON or a query -> what is asked for, checked
        -> batching    texts of all requests side by side, joined and left between two tokens
        -> answers     texts as JSON, as pieces, as completions
around it: guards (who may ask, how much, how often), metrics, the page
"""
