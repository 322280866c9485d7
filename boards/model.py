"""The network that judges boards, and the rules as the model of a search (planner/mcts.py)."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from config import Boards

BATCH = 256  # boards that the network is asked about at once


def convolve(x, filters: int, kernel: int, options: Boards, stride: int = 1):
    """A convolution without a bias, batch-normalised."""
    decay = keras.regularizers.L2(options.l2)
    x = layers.Conv2D(
        filters, kernel, stride, "same", use_bias=False, kernel_regularizer=decay
    )(x)  # fmt: skip
    return layers.BatchNormalization(momentum=0.9)(x)


def residual(x, options: Boards):
    """A block: two convolutions, or one between two of 1x1, added to what goes in."""
    filters, narrow = options.residual_filters, options.residual_bottleneck
    kernel = options.residual_kernel
    parts = [(filters, kernel)] * 2
    if narrow:
        parts = [(narrow, 1), (narrow, kernel), (filters, 1)]
    y = x
    for i, (size, width) in enumerate(parts):
        y = convolve(layers.ReLU()(y) if i else y, size, width, options)
    if x.shape[-1] != filters:
        x = convolve(x, filters, 1, options)
    return layers.ReLU()(x + y)


def dense(x, options: Boards):
    """A dense layer, batch-normalised: its units do not die in the first steps."""
    decay = keras.regularizers.L2(options.l2)
    x = layers.Dense(options.dense_size, use_bias=False, kernel_regularizer=decay)(x)
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))


def make_network(rules: ModuleType, options: Boards) -> keras.Model:
    """A residual network (Silver et al. 2017, "Mastering the game of Go without human knowledge").

    Own and other stones float32 (B, R, C, 2) to logits (B, A) and the value (B, 1) in -1..1, of
    who is to move.
    """
    stones = keras.Input((rules.ROWS, rules.COLS, 2))
    x = convolve(stones, options.conv_filters, options.conv_kernel, options, options.conv_stride)
    x = layers.ReLU()(x)
    for _ in range(options.residual_num):
        x = residual(x, options)
    if options.feature_extractor == "agz":
        policy, value = (
            layers.Flatten()(layers.ReLU()(convolve(x, few, 1, options))) for few in (2, 1)
        )
        value = dense(value, options)
    else:
        average = options.feature_extractor == "avgpool"
        x = layers.GlobalAveragePooling2D()(x) if average else layers.Flatten()(x)
        policy = value = dense(x, options)
    decay = keras.regularizers.L2(options.l2)
    policy = layers.Dense(len(rules.NAMES), kernel_regularizer=decay)(policy)
    value = layers.Dense(1, "tanh", kernel_regularizer=decay)(value)
    return keras.Model(stones, [policy, value])


def stones(boards):
    """What the network sees of boards int8 (B, R, C): float32 (B, R, C, 2)."""
    return tf.cast(tf.stack([boards == 1, boards == -1], axis=-1), tf.float32)


class Judge:
    """Asks a network about any number of boards, in batches of few sizes."""

    def __init__(self, rules: ModuleType, network: keras.Model):
        spec = tf.TensorSpec((None, rules.ROWS, rules.COLS), tf.int8)
        self.ask = tf.function(
            lambda boards: network(stones(boards), training=False), input_signature=[spec]
        )

    def __call__(self, boards: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Logits (B, A), of moves that are not valid too, and value (B,) of boards (B, R, C)."""
        parts = []
        for first in range(0, len(boards), BATCH):
            part = boards[first : first + BATCH]
            room = max(8, 1 << (len(part) - 1).bit_length())  # padded to a power of two
            padded = np.zeros((room, *part.shape[1:]), np.int8)
            padded[: len(part)] = part
            parts.append([out.numpy()[: len(part)] for out in self.ask(padded)])
        logits, value = (np.concatenate(out) for out in zip(*parts, strict=True))
        return logits, value[:, 0]


def make_train_step(network: keras.Model, optimizer) -> Callable:
    """Compile a step of training: cross-entropy to the search's policy, squared error to the
    game's outcome, L2. It returns the first two."""
    outputs = network.output_shape[0][-1]
    rows, cols = network.input_shape[1:3]

    @tf.function(
        input_signature=[
            tf.TensorSpec((None, rows, cols), tf.int8),
            tf.TensorSpec((None, outputs), tf.float32),
            tf.TensorSpec((None,), tf.float32),
        ]
    )
    def step(boards, policy, value):
        with tf.GradientTape() as tape:
            logits, judged = network(stones(boards), training=True)
            cross = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(policy, logits))
            squared = tf.reduce_mean(tf.square(judged[:, 0] - value))
            loss = cross + squared + tf.add_n(network.losses)
        gradients = tape.gradient(loss, network.trainable_variables)
        optimizer.apply_gradients(zip(gradients, network.trainable_variables, strict=True))
        return tf.stack([cross, squared])

    return step
