"""A job that brings its own packages: XGBoost from `requirements.txt`, with a metric for each round."""

import xgboost
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import trainyard

run = trainyard.init({"rounds": 10, "threads": 1})
x, y = load_digits(return_X_y=True)
x_train, x_test, y_train, y_test = train_test_split(x, y, random_state=0)
train, test = xgboost.DMatrix(x_train, y_train), xgboost.DMatrix(x_test, y_test)
settings = {"objective": "multi:softmax", "num_class": 10, "eval_metric": "merror", "nthread": run.params["threads"]}


class LogToRun(xgboost.callback.TrainingCallback):
    """Logs what XGBoost evaluates after each round."""

    def after_iteration(self, model, epoch, evals_log):
        run.log({"error": evals_log["test"]["merror"][-1]}, step=epoch + 1)
        return False


model = xgboost.train(settings, train, run.params["rounds"], evals=[(test, "test")], verbose_eval=False, callbacks=[LogToRun()])
model.save_model("model.json")
run.artifact("model.json")
print(f"error {float(model.eval(test).rsplit(':', 1)[1]):.3f}")
run.finish()
