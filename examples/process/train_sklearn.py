"""A job without PyTorch: one program on its CPU slots, with metrics, an artifact and parameters like any other."""

import json

from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

import trainyard

run = trainyard.init({"trees": 50, "jobs": 1})
x, y = load_digits(return_X_y=True)
x_train, x_test, y_train, y_test = train_test_split(x, y, random_state=0)
model = RandomForestClassifier(run.params["trees"], n_jobs=run.params["jobs"], random_state=0)
model.fit(x_train, y_train)
accuracy = model.score(x_test, y_test)
run.log({"accuracy": accuracy}, step=1)
with open("report.json", "w") as report:
    json.dump({"accuracy": accuracy}, report)
run.artifact("report.json")
print(f"accuracy {accuracy:.3f}")
run.finish()
