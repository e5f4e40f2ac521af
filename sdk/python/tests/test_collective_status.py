"""No optimizer steps after a collective that failed. NCCL itself needs GPUs: here the same hooks ask other backends."""

import pytest


@pytest.fixture
def gloo():
    import torch.distributed as dist

    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield dist.group.WORLD
    dist.destroy_process_group()


def trained(torch):
    model = torch.nn.Linear(3, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    model(torch.ones(2, 3)).sum().backward()
    return model, optimizer


def failing(torch, status: str):
    """A backend, as torch knows them, whose status is that of a communicator that failed."""
    from torch._C._distributed_c10d import Backend, ErrorType

    class Failing(Backend):
        def name(self) -> str:
            return "nccl"

        def get_error(self) -> ErrorType:
            return getattr(ErrorType, status)

    return Failing(0, 1)


def test_a_step_is_applied_after_collectives_that_succeeded(gloo):
    import torch

    from trainyard.collective_status import step_only_after_success

    model, optimizer = trained(torch)
    before = model.weight.detach().clone()
    waited: list[str] = []
    end = step_only_after_success(optimizer, lambda: [gloo._get_backend(torch.device("cpu"))], lambda: waited.append("once"))
    optimizer.step()
    assert waited == ["once"]
    assert not torch.equal(model.weight, before)
    end()
    optimizer.step()
    assert waited == ["once"]


@pytest.mark.parametrize("status", ["TIMEOUT", "COMM_ERROR", "REMOTE_ERROR"])
@pytest.mark.parametrize("scaled", [False, True])
def test_a_step_after_one_that_failed_changes_nothing_and_says_why(gloo, status, scaled):
    import torch

    from trainyard.collective_status import CollectivesFailedError, step_only_after_success
    from trainyard.survivor import is_peers_fault

    model, optimizer = trained(torch)
    optimizer.step()
    before = [tensor.clone() for tensor in model.state_dict().values()]
    moments = [tensor.clone() for state in optimizer.state_dict()["state"].values() for tensor in state.values()]
    order: list[str] = []
    broken = failing(torch, status)

    def backends():
        return [gloo._get_backend(torch.device("cpu")), broken]

    step_only_after_success(optimizer, backends, lambda: order.append("waited"))
    # What follows a step's beginning, such as the capture of its boundary, does not see one.
    optimizer.register_step_pre_hook(lambda *_: order.append("begun"))
    scaler = torch.amp.GradScaler("cpu", enabled=scaled)
    scaler.scale(model(torch.ones(2, 3)).sum()).backward()
    with pytest.raises(CollectivesFailedError, match=rf"nccl: {status}.*step is not applied") as raised:
        scaler.step(optimizer)
    assert order == ["waited"]
    assert is_peers_fault(raised.value)
    after = [tensor for state in optimizer.state_dict()["state"].values() for tensor in state.values()]
    assert all(torch.equal(one, other) for one, other in zip(before, model.state_dict().values(), strict=True))
    assert all(torch.equal(one, other) for one, other in zip(moments, after, strict=True))


def test_ranks_that_talk_over_gloo_only_wait_for_nothing(gloo):
    import torch

    from trainyard.collective_status import finish_device, nccl_backends, step_only_after_success, watch_collectives

    _, on_cpu = trained(torch)
    watch_collectives(on_cpu)
    assert not on_cpu._optimizer_step_pre_hooks, "parameters on the CPU are not queued behind anything"
    assert nccl_backends() == []
    finish_device()  # there is none
    _, optimizer = trained(torch)
    step_only_after_success(optimizer, nccl_backends, lambda: pytest.fail("it waited"))
    optimizer.step()
