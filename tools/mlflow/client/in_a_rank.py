"""A script with MLflow and nothing of this platform's in it; as a rank of a job it logs into the job's run."""

import os

os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

import mlflow

rank = os.environ["RANK"]
with mlflow.start_run() as run:
    for step in range(3):
        mlflow.log_metric(f"rank{rank}/loss", 1 / (step + 1), step=step)
    mlflow.log_param(f"rank{rank}", "here")
    mlflow.log_text("hello", f"rank{rank}/notes.txt")
    if rank == "0":

        class Constant(mlflow.pyfunc.PythonModel):
            """A model that needs nothing."""

            def predict(self, context, model_input, params=None):  # noqa: ANN001, ANN201, D102  MLflow's own signature
                return [1]

        mlflow.pyfunc.log_model(name="constant", python_model=Constant(), pip_requirements=["mlflow"])
        try:
            mlflow.MlflowClient().create_run(run.info.experiment_id)
        except mlflow.MlflowException as error:
            print("another run:", error.error_code)
print("logged into", run.info.run_id)
