"""What happened between customers and the business."""
