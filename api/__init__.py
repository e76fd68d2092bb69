"""The GraphQL API and all HTTP serving."""
