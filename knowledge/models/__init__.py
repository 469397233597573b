from knowledge.models.pace import ServicePace

__all__ = ["ServicePace"]
