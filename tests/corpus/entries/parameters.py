"""Which parameters get a gradient and are moved by it."""

from corpus.entry import Wrong

WRONG = [
    Wrong(
        "gradient_stopped_a",
        ("The encoder's output is detached on its way into the classifier, so the encoder keeps its random weights."),
        at="return self.head(features.detach())",
        effect=lambda wrong, right: wrong.encoder_moved == 0 and wrong.accuracy < right.accuracy - 0.05,
    ),
    Wrong(
        "gradient_stopped_b",
        "The loss is wrapped into a new tensor to silence an error; backward() then has nothing behind it.",
        at="return torch.tensor(losses.mean().item(), requires_grad=True)",
        effect=lambda wrong, right: wrong.moved == 0 and right.moved > 0.05,
    ),
    Wrong(
        "gradient_stopped_c",
        ("The embedding is looked up under no_grad together with the masking, so the word vectors are never trained."),
        at="with torch.no_grad():  # masks need no gradient",
        effect=lambda wrong, right: (
            wrong.embedding_moved == 0 and right.embedding_moved > 0.1 and wrong.loss > 1.3 * right.loss
        ),
    ),
    Wrong(
        "gradient_stopped_d",
        "The hidden layer is computed in numpy (through .data), which cuts the graph below the last layer.",
        at="hidden = torch.from_numpy",
        effect=lambda wrong, right: wrong.first_layer_moved == 0 and wrong.mse > 2 * right.mse,
    ),
    Wrong(
        "gradient_stopped_e",
        (
            "The reconstruction term enters the total as a number (.item()), so the decoder that only it "
            "reaches is never trained."
        ),
        at="loss = clf + 0.5 * rec.item()",
        effect=lambda wrong, right: wrong.decoder_moved == 0 and right.decoder_moved > 0.05,
    ),
    Wrong(
        "parameters_unheld_a",
        "The optimizer gets the decoder's parameters only; the encoder receives gradients and never moves.",
        at="optimizer = optim.Adam(ae.decoder.parameters(), lr=5e-3)",
        effect=lambda wrong, right: (
            wrong.encoder_moved == 0 and right.encoder_moved > 0.1 and wrong.loss > 1.3 * right.loss
        ),
    ),
    Wrong(
        "parameters_unheld_d",
        "The head is replaced after the optimizer was made; the best weights are loaded at the end.",
        at="optimizer = torch.optim.SGD(",
        effect=lambda wrong, right: wrong.head_moved == 0 and right.head_moved > 0.05,
        also=("optimizer_strangers",),
    ),
    Wrong(
        "parameters_unheld_b",
        "The class centres of the centre loss are parameters of the criterion, which no optimizer was given.",
        at="optimizer = torch.optim.SGD(",
        effect=lambda wrong, right: wrong.centres_moved == 0 and right.centres_moved > 0.5,
    ),
    Wrong(
        "parameters_unheld_c",
        'The parameters are picked by name, and the pattern "layer" misses the two that are called "gate".',
        at='params = [p for name, p in model.named_parameters() if "layer" in name]',
        effect=lambda wrong, right: wrong.gate_moved == 0 and right.gate_moved > 0.01,
    ),
    Wrong(
        "optimizer_strangers_a",
        "The head is replaced after the optimizer was made, which still holds the old head.",
        at="model.fc = nn.Linear",
        effect=lambda wrong, right: wrong.head_moved == 0 and right.head_moved > 0.05,
        also=("parameters_unheld",),
    ),
    Wrong(
        "optimizer_strangers_b",
        "Each fold gets a new model, but the optimizer was made once and holds the parameters of the first.",
        at="if k > 0:",
        effect=lambda wrong, right: wrong.mean_accuracy < right.mean_accuracy - 0.1,
        also=("parameters_unheld",),
    ),
    Wrong(
        "optimizer_frozen_a",
        "Thawing assigns requires_grad on the module, which is only an attribute; its parameters stay frozen.",
        at="model.backbone.requires_grad = True",
        effect=lambda wrong, right: wrong.backbone_moved == 0 and right.backbone_moved > 0.05,
    ),
    Wrong(
        "optimizer_frozen_b",
        ("The layers frozen halfway keep a zero gradient in .grad, so momentum and weight decay go on moving them."),
        at="p.requires_grad_(False)",
        effect=lambda wrong, right: wrong.drift > 0.05 and right.drift == 0,
    ),
    Wrong(
        "optimizer_frozen_l1",
        "The body is frozen by require_grad, an attribute that nobody reads, and is trained.",
        at="loss = nn.functional.mse_loss(net(x[rows])",
        effect=lambda wrong, right: wrong.moved > 0.1 and right.moved == 0,
    ),
    Wrong(
        "made_in_forward_a",
        ("The second layer is created inside forward, fresh and random at every call, and known to no optimizer."),
        at="layer2 = nn.Linear(self.d_hidden, self.d_out)",
        effect=lambda wrong, right: wrong.loss > 1.5 * right.loss and wrong.parameters < right.parameters,
    ),
    Wrong(
        "made_in_forward_b",
        "The projection is built at the first call of forward, after the optimizer took the parameters.",
        at="self.proj = nn.Linear",
        effect=lambda wrong, right: wrong.proj_moved == 0 and right.proj_moved > 0.01,
        also=("parameters_unheld",),
    ),
    Wrong(
        "made_in_forward_c",
        (
            "forward normalises with a BatchNorm1d made on the spot: it has no learned scale, no running "
            "averages and ignores eval mode."
        ),
        at="h = nn.BatchNorm1d(self.n_hidden)(self.inp(x))",
        effect=lambda wrong, right: wrong.disagreement > 0.01 and right.disagreement < 1e-5,
        also=("eval_in_train",),
    ),
    Wrong(
        "hidden_in_list_a",
        "The layers sit in a plain Python list, so parameters() does not see them.",
        at="self.hidden = [nn.Linear(width, width) for _ in range(depth)]",
        effect=lambda wrong, right: wrong.parameters < 100 < right.parameters and wrong.loss > 1.2 * right.loss,
        also=("parameters_unheld",),
    ),
    Wrong(
        "hidden_in_list_b",
        "The heads of the two tasks are kept in a plain dict and are never registered.",
        at="self.heads = {name: nn.Linear(24, size) for name, size in tasks.items()}",
        effect=lambda wrong, right: wrong.registered == 0 and right.registered == 2 and wrong.heads_moved == 0,
        also=("parameters_unheld",),
    ),
    Wrong(
        "hidden_in_list_c",
        ("The per-step weights are nn.Parameters in a plain list; neither parameters() nor state_dict() knows them."),
        at="self.rates = [nn.Parameter(torch.tensor(0.05)) for _ in range(steps)]",
        effect=lambda wrong, right: wrong.saved < right.saved and wrong.moved < 1e-6 and right.moved > 0.01,
        also=("parameters_unheld",),
    ),
    Wrong(
        "broken_tie_a",
        ("The output layer gets a copy of the embedding where the same tensor was meant, and the two drift apart."),
        at="self.decoder.weight = nn.Parameter(self.encoder.weight.detach().clone())",
        effect=lambda wrong, right: (
            wrong.distance > 0.1 and right.distance == 0 and wrong.parameters > right.parameters
        ),
    ),
    Wrong(
        "broken_tie_b",
        "The model is cloned child by child, which copies the shared weight twice and undoes the tie.",
        at="twin = Tied()",
        effect=lambda wrong, right: wrong.distance > 0.05 and right.distance == 0,
    ),
    Wrong(
        "broken_tie_c",
        (
            "The vocabulary is enlarged after the weights were tied; the new embedding is no longer the "
            "output layer's matrix."
        ),
        at="model.embed = enlarged",
        effect=lambda wrong, right: wrong.distance > 0.1 and right.distance == 0,
    ),
    Wrong(
        "identical_units_a",
        ("All weights start from one constant, so the hidden units get equal gradients and stay copies of each other."),
        at="nn.init.constant_(m.weight, 0.1)",
        effect=lambda wrong, right: wrong.rank == 1 and right.rank > 2 and wrong.loss > 1.5 * right.loss,
    ),
    Wrong(
        "identical_units_b",
        "Hand-written matrices start at one half everywhere, so the ten hidden columns never part.",
        at="W1 = torch.full((2, H), 0.5, requires_grad=True)",
        effect=lambda wrong, right: wrong.columns == 1 and right.columns == 10,
    ),
    Wrong(
        "dead_units_a",
        "Weights drawn between -1 and 0 over non-negative pixels: no ReLU unit is ever on.",
        at="nn.init.uniform_(model[0].weight, -1.0, 0.0)",
        effect=lambda wrong, right: wrong.alive == 0 and right.alive > 0.5 and wrong.accuracy < right.accuracy - 0.3,
    ),
    Wrong(
        "dead_units_b",
        "A bias of -10 in the hidden layers keeps every ReLU off, so no gradient passes them.",
        at="torch.nn.init.constant_(layer.bias, -10.0)",
        effect=lambda wrong, right: wrong.first_layer_moved == 0 and right.first_layer_moved > 0.01,
    ),
    Wrong(
        "graph_kept_a",
        "The losses are summed as tensors over the whole training, which keeps the graph of every step alive.",
        at="total_loss += loss",
        effect=lambda wrong, right: wrong.graph > 500 and right.graph < 100,
    ),
    Wrong(
        "graph_kept_b",
        ("The outputs of every validation pass are kept in a list without no_grad, and with them all activations."),
        at="forecast = model(X[n_train:])",
        effect=lambda wrong, right: wrong.graph > 4 * right.graph,
    ),
    Wrong(
        "graph_kept_c",
        "Every step's penalty is appended to a log as a tensor, with the graph behind it.",
        at='log["l1"].append(l1)',
        effect=lambda wrong, right: wrong.graph > 300 and right.graph < 100,
    ),
    Wrong(
        "gradient_stopped_f",
        "The L1 penalty is added as a number (.item()): it is printed with the loss and shrinks nothing.",
        at="0.2 * l1.item()",
        effect=lambda wrong, right: wrong.l1 > 1.3 * right.l1,
    ),
    Wrong(
        "parameters_unheld_e",
        "The learned temperature is a parameter of no module, and the optimizer is given the two towers alone.",
        at="optimizer = torch.optim.Adam(",
        effect=lambda wrong, right: wrong.moved == 0 and right.moved > 0.1,
    ),
    Wrong(
        "broken_tie_d",
        "The tied embedding is initialised by giving it a new parameter, which the decoder knows nothing of.",
        at="self.embed.weight = nn.Parameter(",
        effect=lambda wrong, right: (
            right.distance == 0 and wrong.distance > 0.5 and wrong.parameters > right.parameters
        ),
    ),
    Wrong(
        "identical_units_c",
        "The members of the ensemble are copies of one, are shown the same batches and never differ.",
        at="copy.deepcopy(member)",
        effect=lambda wrong, right: wrong.spread == 0 and right.spread > 0.02,
    ),
    Wrong(
        "dead_units_c",
        "A bias of -40 puts every GELU where it is flat, so the first layer never moves.",
        at="nn.init.constant_(net[0].bias, -40.0)",
        effect=lambda wrong, right: wrong.moved == 0 and right.moved > 0.1 and wrong.loss > 2 * right.loss,
    ),
    Wrong(
        "identical_units_m1",
        "Every weight of the GRU and of its reader starts from one constant, so the ten units stay one.",
        at="nn.init.constant_(p, 0.05)",
        effect=lambda wrong, right: wrong.apart < 1e-5 < 0.1 < right.apart,
    ),
    Wrong(
        "dead_units_gr1",
        "Biases down to -10 keep nine in ten units of the layer off, for every sample and for good.",
        at="torch.linspace(-10, 0, 48)",
        effect=lambda wrong, right: wrong.alive < 0.3 and right.alive > 0.8 and wrong.loss > 2 * right.loss,
    ),
    Wrong(
        "gradient_stopped_gr1",
        "The losses of the choices are put into a new tensor: only the critic learns.",
        at="torch.tensor(choices)",
        effect=lambda wrong, right: wrong.moved == 0 and right.moved > 0,
    ),
    Wrong(
        "gradient_stopped_n1",
        "The penalty is summed up in numpy and comes back as a number.",
        at="return float(sum(",
        effect=lambda wrong, right: wrong.size > 1.3 * right.size,
    ),
    Wrong(
        "gradient_stopped_n2",
        "The cost of a sparse code is computed under no_grad.",
        at="return code.abs().mean()",
        effect=lambda wrong, right: wrong.active > 1.5 * right.active,
    ),
    Wrong(
        "dead_units_s1",
        "Bytes go into a layer of sigmoids as they are, whose outputs stand at 0 and 1 from the start.",
        at="nn.Sigmoid()",
        effect=lambda wrong, right: wrong.flat < 0.02 < right.flat and wrong.loss > 2 * right.loss,
    ),
]
