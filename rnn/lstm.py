"""An LSTM over a sequence with its gradient written out.

Keras' LSTM multiplies by its weights, and sums their gradients, step by step. Here everything
that does not wait for the step before is one large matrix product over all steps: the inputs'
share of the gates, and the gradients of both matrices. On a CPU that trains M faster; see
benchmarks/README.md. Gates are in Keras' order: input, forget, candidate, output.
"""

from __future__ import annotations

import tensorflow as tf


def lstm_step(
    x: tf.Tensor, h: tf.Tensor, c: tf.Tensor, transposed: tf.Tensor, bias: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Move an LSTM on by one step: x (B, I), state (B, H) each; returns the next h and c.

    Args:
        transposed: kernel and recurrent kernel in one, (4H, I + H): rows of 4H floats lie a power
            of two apart, which CPU caches take badly. bias: (4H,).
    """
    raw = tf.matmul(tf.concat([x, h], -1), transposed, transpose_b=True) + bias
    i, f, g, o = tf.split(raw, 4, axis=-1)
    c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
    return tf.sigmoid(o) * tf.tanh(c), c


def lstm_sequence(
    x: tf.Tensor,
    h: tf.Tensor,
    c: tf.Tensor,
    kernel: tf.Tensor,
    recurrent: tf.Tensor,
    bias: tf.Tensor,
    keep: tf.Tensor | None = None,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Unroll an LSTM (Hochreiter & Schmidhuber 1997) over time.

    Args:
        x: (B, T, I). h, c: state (B, H) each.
        kernel: (I, 4H). recurrent: (H, 4H). bias: (4H,).
        keep: (B, T), 0 where h and c are set to zero before the step; None: nowhere.

    Returns:
        Outputs (B, T, H), and the last h and c.
    """
    keep = None if keep is None else tf.transpose(keep)[..., None]  # (T, B, 1)
    unroll = tf.custom_gradient(lambda *args: _lstm(*args, keep))
    return unroll(x, h, c, kernel, recurrent, bias)


def _lstm(x, h0, c0, kernel, recurrent, bias, keep):
    """Return the outputs, the last h and c, and the function of their gradients."""
    steps, size = tf.shape(x)[1], h0.shape[-1]
    x = tf.transpose(x, (1, 0, 2))  # (T, B, I)

    def kept(state, t):
        return state if keep is None else state * keep[t]

    share = tf.tensordot(x, kernel, 1) + bias  # (T, B, 4H)
    # As in lstm_step; so are the gradients gate by gate: twice as fast.
    transposed = tf.transpose(recurrent)

    def array():
        return tf.TensorArray(tf.float32, size=steps, element_shape=(None, None))

    def forward(t, h, c, gates, cells, outputs):
        h, c = kept(h, t), kept(c, t)
        raw = share[t] + tf.matmul(h, transposed, transpose_b=True)
        i, f, g, o = tf.split(raw, 4, axis=-1)
        i, f, g, o = tf.sigmoid(i), tf.sigmoid(f), tf.tanh(g), tf.sigmoid(o)
        c = f * c + i * g
        h = o * tf.tanh(c)
        gates = gates.write(t, tf.concat([i, f, g, o], -1))
        return t + 1, h, c, gates, cells.write(t, c), outputs.write(t, h)

    loop = (tf.constant(0), h0, c0, array(), array(), array())
    _, h, c, gates, cells, outputs = tf.while_loop(
        lambda t, *_: t < steps, forward, loop, parallel_iterations=1
    )
    gates, cells, outputs = gates.stack(), cells.stack(), outputs.stack()

    def gradient(d_outputs, d_h, d_c):
        d_outputs = tf.transpose(d_outputs, (1, 0, 2))

        def backward(t, dh, dc, *d_raws):
            i, f, g, o = tf.split(gates[t], 4, axis=-1)
            before = kept(tf.cond(t > 0, lambda: cells[t - 1], lambda: c0), t)
            tanh_c = tf.tanh(cells[t])
            dh = dh + d_outputs[t]
            dc = dc + dh * o * (1 - tanh_c * tanh_c)
            d_raw = (
                dc * g * i * (1 - i),
                dc * before * f * (1 - f),
                dc * i * (1 - g * g),
                dh * tanh_c * o * (1 - o),
            )
            d_raws = [array.write(t, d) for array, d in zip(d_raws, d_raw, strict=True)]
            dh = tf.matmul(tf.concat(d_raw, -1), transposed)
            return t - 1, kept(dh, t), kept(dc * f, t), *d_raws

        loop = (steps - 1, d_h, d_c, array(), array(), array(), array())
        _, dh, dc, *d_raws = tf.while_loop(
            lambda t, *_: t >= 0, backward, loop, parallel_iterations=1
        )
        d_raws = [tf.reshape(array.stack(), (-1, size)) for array in d_raws]  # (T * B, H) each
        before = tf.concat([h0[None], outputs[:-1]], 0)
        before = tf.reshape(before if keep is None else before * keep, (-1, size))
        flat = tf.reshape(x, (-1, x.shape[-1]))
        d_kernel = tf.concat([tf.matmul(flat, d, transpose_a=True) for d in d_raws], -1)
        d_recurrent = tf.concat([tf.matmul(before, d, transpose_a=True) for d in d_raws], -1)
        d_bias = tf.concat([tf.reduce_sum(d, 0) for d in d_raws], -1)
        parts = zip(d_raws, tf.split(kernel, 4, -1), strict=True)
        d_x = tf.add_n([tf.matmul(d, k, transpose_b=True) for d, k in parts])
        d_x = tf.transpose(tf.reshape(d_x, tf.shape(x)), (1, 0, 2))
        return d_x, dh, dc, d_kernel, d_recurrent, d_bias

    return (tf.transpose(outputs, (1, 0, 2)), h, c), gradient
