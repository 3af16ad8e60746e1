import random

import torch
import torch.nn as nn
from torch import optim

SOS, VOCAB, HIDDEN, LENGTH = 0, 12, 32, 5


class EncoderRNN(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.embedding = nn.Embedding(input_size, hidden_size)
        self.gru = nn.GRU(hidden_size, hidden_size, batch_first=True)

    def forward(self, input):
        return self.gru(self.embedding(input))[1]


class DecoderRNN(nn.Module):
    def __init__(self, hidden_size, output_size):
        super().__init__()
        self.embedding = nn.Embedding(output_size, hidden_size)
        self.gru = nn.GRU(hidden_size, hidden_size, batch_first=True)
        self.out = nn.Linear(hidden_size, output_size)

    def forward(self, target, hidden):
        shifted = torch.cat([torch.full_like(target[:, :1], SOS), target[:, :-1]], 1)
        output, _ = self.gru(self.embedding(shifted), hidden)
        return self.out(output)


def train_step(source, target, encoder, decoder, encoder_optimizer, decoder_optimizer, criterion):
    encoder_optimizer.zero_grad()
    decoder_optimizer.zero_grad()
    logits = decoder(target, encoder(source))
    loss = criterion(logits.flatten(0, 1), target.flatten())
    loss.backward()
    encoder_optimizer.step()
    decoder_optimizer.step()
    return loss.item()


def train_iters(encoder, decoder, n_iters, learning_rate=0.01):
    encoder_optimizer = optim.Adam(encoder.parameters(), lr=learning_rate)
    decoder_optimizer = optim.Adam(decoder.parameters(), lr=learning_rate)
    criterion = nn.CrossEntropyLoss()
    total = 0
    for i in range(1, n_iters + 1):
        source = torch.tensor([[random.randrange(1, VOCAB) for _ in range(LENGTH)] for _ in range(32)])
        target = source.flip(1)
        total += train_step(source, target, encoder, decoder, encoder_optimizer, decoder_optimizer, criterion)
        if i % 20 == 0:
            print("(%d %d%%) %.4f" % (i, i / n_iters * 100, total / 20))
            last, total = total / 20, 0
    return last


random.seed(5)
torch.manual_seed(5)
encoder, decoder = EncoderRNN(VOCAB, HIDDEN), DecoderRNN(HIDDEN, VOCAB)
before = encoder.gru.weight_hh_l0.detach().clone()
loss = train_iters(encoder, decoder, 100)
result = {"loss": loss, "encoder_moved": (encoder.gru.weight_hh_l0 - before).norm().item()}
print(result)
