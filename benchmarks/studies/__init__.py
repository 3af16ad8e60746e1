"""Studies of many small models, and one module for each way of training them."""
