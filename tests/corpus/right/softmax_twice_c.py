import torch
import torch.nn as nn

torch.manual_seed(1)

training_data = [
    ("The dog ate the apple".split(), ["DET", "NN", "V", "DET", "NN"]),
    ("Everybody read that book".split(), ["NN", "V", "DET", "NN"]),
    ("A cat saw the bird".split(), ["DET", "NN", "V", "DET", "NN"]),
]
word_to_ix, tag_to_ix = {}, {"DET": 0, "NN": 1, "V": 2}
for sentence, _ in training_data:
    for word in sentence:
        word_to_ix.setdefault(word, len(word_to_ix))


class LSTMTagger(nn.Module):
    def __init__(self, embedding_dim, hidden_dim, vocab_size, tagset_size):
        super().__init__()
        self.word_embeddings = nn.Embedding(vocab_size, embedding_dim)
        self.lstm = nn.LSTM(embedding_dim, hidden_dim)
        self.hidden2tag = nn.Linear(hidden_dim, tagset_size)

    def forward(self, sentence):
        embeds = self.word_embeddings(sentence)
        lstm_out, _ = self.lstm(embeds.view(len(sentence), 1, -1))
        tag_space = self.hidden2tag(lstm_out.view(len(sentence), -1))
        return tag_space


model = LSTMTagger(6, 6, len(word_to_ix), len(tag_to_ix))
loss_function = nn.CrossEntropyLoss(label_smoothing=0.05)
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)

for epoch in range(60):
    epoch_loss = 0.0
    for sentence, tags in training_data:
        model.zero_grad()
        sentence_in = torch.tensor([word_to_ix[w] for w in sentence])
        targets = torch.tensor([tag_to_ix[t] for t in tags])
        loss = loss_function(model(sentence_in), targets)
        loss.backward()
        optimizer.step()
        epoch_loss += loss.item()
    if epoch % 20 == 19:
        print(epoch + 1, epoch_loss / len(training_data))

result = {"loss": epoch_loss / len(training_data)}
