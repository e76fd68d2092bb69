"""Outlook through Microsoft Graph: mail, calendar and contacts as interactions and customers, both ways."""
