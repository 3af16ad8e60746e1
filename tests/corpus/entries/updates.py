"""Gradients and updates."""

from corpus.entry import Wrong

WRONG = [
    Wrong(
        "never_cleared_a",
        "The loop has no zero_grad, so each update follows the sum of every gradient since the start.",
        at="loss.backward()",
        effect=lambda wrong, right: wrong.loss > 2 * right.loss,
    ),
    Wrong(
        "never_cleared_b",
        "The hand-written update never sets w.grad and b.grad back to zero.",
        at="l.sum().backward()",
        effect=lambda wrong, right: wrong.error > 3 * right.error,
    ),
    Wrong(
        "never_cleared_c",
        (
            "The discriminator is never zeroed, so its gradients still hold what the generator's loss left in "
            "it and every earlier batch."
        ),
        at="err_d.backward()",
        effect=lambda wrong, right: wrong.grad_d > 3 * right.grad_d,
    ),
    Wrong(
        "cleared_before_step_a",
        "zero_grad stands between backward and step, so the step sees no gradient.",
        at="opt.zero_grad()",
        effect=lambda wrong, right: wrong.moved == 0 and right.moved > 0.1 and wrong.loss > 2 * right.loss,
    ),
    Wrong(
        "cleared_before_step_b",
        "The helper that logs the gradient norm also clears the gradients, just before the optimizer steps.",
        at="model.zero_grad()",
        effect=lambda wrong, right: wrong.accuracy < right.accuracy - 0.2,
    ),
    Wrong(
        "step_missing_a",
        "The loop computes gradients and never calls optimizer.step().",
        at="loss.backward()",
        effect=lambda wrong, right: wrong.moved == 0 and wrong.loss > 3 * right.loss,
    ),
    Wrong(
        "step_missing_b",
        "The encoder has an optimizer of its own that is zeroed every batch and never stepped.",
        at="encoder_optimizer.zero_grad()",
        effect=lambda wrong, right: wrong.encoder_moved == 0 and right.encoder_moved > 0.1,
    ),
    Wrong(
        "step_missing_c",
        ("The optimizer steps at every sixteenth batch, counted anew in each epoch of ten batches: it never steps."),
        at="if (i + 1) % accumulate == 0:",
        effect=lambda wrong, right: wrong.moved == 0 and right.moved > 0.05,
        also=("tail_window",),
    ),
    Wrong(
        "step_missing_d",
        "The scaler is updated in each iteration, but scaler.step(optimizer) is missing.",
        at="scaler.update()",
        effect=lambda wrong, right: wrong.loss > 1.5 * right.loss,
    ),
    Wrong(
        "update_rebound_a",
        "The update binds the loop variable to a new tensor and leaves the parameter as it was.",
        at="param = param - learning_rate * param.grad",
        effect=lambda wrong, right: wrong.loss > 3 * right.loss,
    ),
    Wrong(
        "update_rebound_c",
        "The loop binds its variable to a new tensor, outside of no_grad, and the layer stays as it was.",
        at="weight = weight - 0.2 * weight.grad",
        effect=lambda wrong, right: wrong.loss > 3 * right.loss,
    ),
    Wrong(
        "update_rebound_b",
        "Tensor.sub returns a new tensor, which is thrown away; sub_ was meant.",
        at="theta.data.sub(eta * g)",
        effect=lambda wrong, right: wrong.accuracy < 0.75 and right.accuracy > 0.85,
    ),
    Wrong(
        "update_undone_a",
        "The initialisation is applied inside the epoch loop, so every epoch starts from fresh weights.",
        at="net.apply(init_weights)",
        effect=lambda wrong, right: wrong.accuracy < right.accuracy - 0.08,
    ),
    Wrong(
        "update_undone_b",
        (
            "The averaged weights are swapped in for validation and the backup that is swapped back was taken "
            "once, before training."
        ),
        at="ema.restore()",
        effect=lambda wrong, right: wrong.val > 2 * right.val,
    ),
    Wrong(
        "accumulation_not_divided_a",
        "Eight micro-batches are accumulated and the loss of each is not divided by eight.",
        at="loss.backward()",
        effect=lambda wrong, right: 7.9 < wrong.first_update / right.first_update < 8.1,
    ),
    Wrong(
        "accumulation_not_divided_l1",
        "Six losses that the model itself makes of a batch's names are added up whole before each step.",
        at="loss.backward()",
        effect=lambda wrong, right: 5.9 < wrong.first / right.first < 6.1,
    ),
    Wrong(
        "accumulation_not_divided_b",
        (
            "The inner loop over micro steps adds whole losses, so the gradient that is clipped and applied "
            "is the sum of four means."
        ),
        at="loss.backward()",
        effect=lambda wrong, right: 3.5 < wrong.norm / right.norm < 4.5 and wrong.clipped > right.clipped + 0.5,
    ),
    Wrong(
        "tail_window_a",
        (
            "Ten batches in windows of four: the last two of each epoch are wiped by zero_grad at the start "
            "of the next, so they never reach the weights."
        ),
        at="optimizer.zero_grad()  # start clean",
        effect=lambda wrong, right: wrong.updates == 10 and right.updates == 15,
    ),
    Wrong(
        "tail_window_b",
        (
            "Seven batches in windows of three: the gradient of the last one waits in .grad and is mixed into "
            "the first window of the next epoch, which then holds four."
        ),
        at="self.opt.step()",
        effect=lambda wrong, right: wrong.batches_per_update == 4 and right.batches_per_update == 3,
    ),
    Wrong(
        "clip_after_step_a",
        "The gradients are clipped after the optimizer has already used them.",
        at="clip_grad_norm_(model.parameters()",
        effect=lambda wrong, right: wrong.largest_step > 5 * right.largest_step and wrong.loss > right.loss,
    ),
    Wrong(
        "clip_after_step_b",
        ("Value clipping comes after optimizer.step(), so the spikes of the recurrent net go into the weights whole."),
        at="clip_grad_value_",
        effect=lambda wrong, right: wrong.largest_step > 3 * right.largest_step,
    ),
    Wrong(
        "clip_scaled_a",
        (
            "The norm is clipped before the scaler has taken its factor out, so what remains after unscaling "
            "is 65536 times too small."
        ),
        at="clip_grad_norm_",
        effect=lambda wrong, right: wrong.moved < 0.02 * right.moved and wrong.loss > 1.5 * right.loss,
    ),
    Wrong(
        "clip_scaled_b",
        "A loss scale by hand: the clipping sees gradients that are still 1024 times too large.",
        at="clip_grad_norm_",
        effect=lambda wrong, right: wrong.loss > 2 * right.loss,
    ),
    Wrong(
        "closure_not_clearing_a",
        ("The closure of LBFGS does not clear the gradients, so each evaluation returns the sum of all earlier ones."),
        at="loss.backward()",
        effect=lambda wrong, right: not wrong.loss < 2 * right.loss,
    ),
    Wrong(
        "closure_not_clearing_b",
        "Gradients are cleared before step(), but LBFGS calls the closure up to twenty times inside one step.",
        at="opt.zero_grad()",
        effect=lambda wrong, right: not wrong.nll < 1.2 * right.nll,
    ),
    Wrong(
        "optimizer_recreated_a",
        "Adam is made anew at the top of every epoch and forgets its moments each time.",
        at="optimizer = torch.optim.Adam(model.parameters(), lr=0.03)",
        effect=lambda wrong, right: wrong.loss > 1.5 * right.loss,
    ),
    Wrong(
        "optimizer_recreated_b",
        ("The training function builds its own SGD with momentum, and is called once for every epoch of two batches."),
        at="def train_one_epoch(model, batches, lr):",
        effect=lambda wrong, right: wrong.mse > 2 * right.mse,
    ),
    Wrong(
        "optimizer_recreated_c",
        "The rate is lowered by building a new Adam in every epoch, which throws its moments away.",
        at="optimizer = torch.optim.Adam(model.parameters(), lr=lr * 0.98**epoch)",
        effect=lambda wrong, right: wrong.loss > 1.5 * right.loss,
    ),
    Wrong(
        "cleared_before_step_c",
        "Between the backward passes of two tasks the gradients are cleared, so the first task is never learned.",
        at="optimizer.zero_grad()  # before the second task",
        effect=lambda wrong, right: wrong.moved == 0 and right.moved > 0.05 and wrong.level > 2 * right.level,
    ),
    Wrong(
        "clip_after_step_c",
        "The gradients are clipped by hand once the step is done, and cleared before the next.",
        at="p.grad.mul_(limit / norm)",
        effect=lambda wrong, right: right.stride < 0.0101 and wrong.stride > 5 * right.stride,
    ),
    Wrong(
        "never_cleared_m1",
        "The gradients of the fast copy are added to those of all tasks before, which nobody clears.",
        at="p.grad = q.grad.clone()",
        effect=lambda wrong, right: wrong.share > 3 and right.share < 1.001,
    ),
    Wrong(
        "update_rebound_gr1",
        "The function that makes the new parameters is called, and the old ones are used ever after.",
        at="moved = sgd(",
        effect=lambda wrong, right: wrong.loss > 2 * right.loss,
    ),
    Wrong(
        "closure_not_clearing_gr1",
        "The closure adds up its gradients, and the curve's exponential overflows within the first step.",
        at="loss = error()",
        effect=lambda wrong, right: not wrong.error < 10 * right.error,
    ),
    Wrong(
        "clip_after_step_gr1",
        "The weights are moved by hand, and only then are the gradients clipped.",
        at="clip_grad_norm_(",
        effect=lambda wrong, right: wrong.longest > 3 * right.longest,
    ),
    Wrong(
        "clip_scaled_gr1",
        "Each element of the gradient is limited while the scaler's factor is in it, and then unscaled to nothing.",
        at="clip_grad_value_(",
        effect=lambda wrong, right: wrong.loss > 2 * right.loss,
    ),
    Wrong(
        "tail_window_gr1",
        "Three of seven batches are left at every epoch's end and go on into the next window, divided by four.",
        at="(loss / 4).backward()",
        effect=lambda wrong, right: wrong.passes == 7 and right.passes == 4,
    ),
    Wrong(
        "tail_window_mr1",
        "The errors of the last four steps fill no window, so no update ever comes from them.",
        at="state = cell(",
        effect=lambda wrong, right: wrong.unseen == 4 and right.unseen == 0,
    ),
    Wrong(
        "update_rebound_mr1",
        "clip, unlike clip_, makes a new tensor, and the gradient stays as it is.",
        at="parameter.grad.clip",
        effect=lambda wrong, right: wrong.largest > 2 * wrong.limit and right.largest <= right.limit,
    ),
    Wrong(
        "clip_after_step_mr1",
        "The gradients are rescaled by hand when the step has used them.",
        at="p.grad = p.grad",
        effect=lambda wrong, right: wrong.longest > 0.02 and right.longest < 0.0101,
    ),
    Wrong(
        "clip_after_step_h1",
        "The gradients of a net from scratch are clipped by hand behind the update by hand.",
        at="param.grad[:] *= theta / norm",
        effect=lambda wrong, right: wrong.worst > 2 * right.worst,
        also=("rate_too_large", "nonfinite"),
    ),
]
