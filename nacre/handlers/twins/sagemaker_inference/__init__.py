"""What PyTorch and other scripts import of SageMaker's inference toolkit."""
