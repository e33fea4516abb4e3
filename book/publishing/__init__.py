"""What a published book needs around its pages: buttons, metadata, how to cite it, copies of its notebooks for Colab."""
