"""truestep's `fit`: a loader of micro-batches and `accumulate`, as the other libraries have it."""

import truestep as ts
from rivals.problem import NotOffered, Outcome, Problem


def objective(problem: Problem) -> ts.Objective:
    """Stock losses of torch as they are; of several, the k-th takes the k-th output and target."""
    if len(problem.losses) == 1:
        return ts.Objective(**problem.losses)
    terms = {
        name: ts.Term(loss, weight, of=lambda output, target, k=k: (output[k], target[k]))
        for k, (name, (weight, loss)) in enumerate(problem.losses.items())
    }
    return ts.Objective(**terms)


def train(problem: Problem) -> Outcome:
    if problem.by_hand:
        raise NotOffered("no count has to be stated")
    data, settings = problem.loader(), {"accumulate": problem.accumulate}
    if problem.ranks > 1 and not problem.resample:
        raise NotOffered("fit shares out the data itself; own shares go to TrainStep")
    if problem.ranks > 1:
        data, settings = problem.data, {"batch_size": len(problem.data)}
    if problem.batches is not None:
        data, settings = problem.data[:], {"batch_size": problem.micro}
    run = ts.fit(
        problem.model,
        data,
        objective(problem),
        problem.optimizer(),
        epochs=problem.epochs,
        validate=None if problem.valid is None else problem.loader(problem.valid),
        shuffle=False,
        **settings,
    )
    record = run.history[-1]
    note = "ts.fit(..., batch_size=9)" if problem.ranks > 1 else "ts.fit(..., accumulate=...)"
    return Outcome(record["train_loss"], record.get("valid_loss"), note, " ".join(run.notes))
