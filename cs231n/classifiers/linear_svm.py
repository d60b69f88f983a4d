"""The course's module name: hands on the SVM loss of the linear classifiers."""

from cs231n.classifiers.linear_classifier import svm_loss_naive, svm_loss_vectorized

__all__ = ["svm_loss_naive", "svm_loss_vectorized"]
